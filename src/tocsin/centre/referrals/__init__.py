"""What citizens answer to an alert: each goes to the bureau of the country that it names, and to nobody else."""
