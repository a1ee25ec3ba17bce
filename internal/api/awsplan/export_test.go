package awsplan

// Whole is the pattern that values of a shape are held against, for tests.
var Whole = whole
