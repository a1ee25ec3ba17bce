// Package awsmodel holds the words in which the generated packages below it
// tell what a service's model says: shapes, operations, errors.
//
//  1. A package below is one service: Go types for every shape that an
//     operation reaches, and one Model with the tables over them. All of it is
//     generated from models/ and none of it is edited.
//  2. A structure's Go fields stand in the order of its Shape's members.
//     Scalars and structures are pointers, nil when absent; a nil slice, map
//     or Blob is absent too, an empty one is sent.
//  3. The tables are data: nobody writes to them, and reading them needs no
//     lock.
//  4. An operation without an input or output in its model has an empty
//     structure there, called as the service calls others.
//
// It decodes, checks and encodes nothing: that is done by awsplan, awsjson and
// awsquery.
package awsmodel

//go:generate go run ../../../tools/modelgen
