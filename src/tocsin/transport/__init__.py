"""Getting bytes and making them readable: archives, compression, encodings, the choice of a format."""
