"""The Jinja templates of every Flux script: downsample/ writes summaries, queries/ reads, macros/ serve both."""
