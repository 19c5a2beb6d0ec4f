"""Those who asked to be told of alerts to the public: by mail, at a server, in a browser; and how far these reach."""
