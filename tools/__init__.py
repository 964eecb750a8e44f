"""How the real `influxd` and `pulumi` are found or built. Standard library only: it runs first."""
