"""What this mesh costs and how fast it is, as figures beside something that ran in the same minutes."""
