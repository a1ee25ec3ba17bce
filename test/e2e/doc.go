// Package e2e drives the built binary with the clients that people use: the
// docker engine, the aws CLI, boto3, aws-sdk-go-v2, skopeo and crane. It also
// does to the process what only happens from outside: kill -9, SIGTERM, a
// taken port, a second server on the same data.
//
//  1. Every server is a process of its own on a free loopback port, with a new
//     data directory; docker's credentials and images are the test's own.
//  2. Nothing is skipped: a client that is missing is a failure.
//
// The tests need root (for dockerd) and carry the build tag e2e; make e2e
// builds the binary and runs them.
package e2e
