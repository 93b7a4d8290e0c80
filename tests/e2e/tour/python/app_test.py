raise SystemExit("not in the image")
