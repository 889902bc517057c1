"""What the stages hand each other: one file each, self-describing, checked before it is used."""
