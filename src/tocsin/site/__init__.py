"""The portal: page frame, navigation, settings of Django, static files, root addresses."""
