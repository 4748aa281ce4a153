"""Makes pictures of the screens: a stage to play them on, and a pen to draw them with."""
