"""What a home's database is made of, declared with Pulumi."""
