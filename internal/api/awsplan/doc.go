// Package awsplan joins the shapes of a service's model with the Go types that
// hold their values, and checks values against the model's constraints. It is
// what the protocols of the AWS services share: awsjson and awsquery check their
// services' tables with it, decode and encode along its plans, each its own
// wire, and say a violation in AWS's words.
// The services make the tokens of their pages with its Listing.
//
//  1. A plan exists only where the type can hold every value of the shape: who
//     walks it need not look again.
//  2. Patterns match whole values; lengths of texts count characters.
//  3. Of several violations the first is told, in the model's order, a value
//     before its parts.
//  4. No error repeats a secret.
//  5. A token is good for the listing that it was made for, and as it was made.
//
// It is apart from awsmodel, which holds generated tables and nothing that
// acts on them, and reads and writes no wire itself.
package awsplan
