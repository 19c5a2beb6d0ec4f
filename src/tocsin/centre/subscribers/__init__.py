"""Those who asked to be told of alerts to the public: by mail, at a server of theirs, in a browser. And how far it reaches."""
