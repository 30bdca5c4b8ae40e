"""Raw files to a lazy scan: its layout, its frames, its angles, its flat and dark fields."""
