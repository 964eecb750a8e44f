"""The live pipeline: from Home Assistant's websocket into the writer, and the example of how a pipeline uses it.

settings, filters   what is followed and how
home_assistant      the websocket: authentication, commands, events
registry            areas, devices and integrations by entity
away                what happened while it was away, from Home Assistant's history
follower            connect, fill, go on; for ever
"""
