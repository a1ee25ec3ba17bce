package name

// Location is where stored bytes are, typed by its prefix: "file:<name>",
// "s3:<key>", or "inline:" for bytes that the metadata store itself keeps.
type Location string
