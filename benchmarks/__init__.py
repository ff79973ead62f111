"""What this provider costs, by itself and compared with others. Each folder is one benchmark; `common` is shared."""
