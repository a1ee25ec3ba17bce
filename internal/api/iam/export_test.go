package iam

// Marker and Position are those of a listing.

func Marker(of []string, position string) string { return *listing(of).marker(position) }

func Position(of []string, marker string) (string, error) { return listing(of).position(&marker) }
