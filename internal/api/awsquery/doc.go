// Package awsquery is the AWS query protocol: a form is posted to /, its
// Version names the service and its Action the operation, and the answer is
// XML. It decodes and checks the form by the service's model, asks whether the
// caller may, calls the handler and encodes what it returns.
//
//  1. An operation runs only for a request whose signature was proven over the
//     body that was read, and after access allowed its action. Only an
//     operation that the model lets anyone call does without both, and decides
//     by itself.
//  2. A body is at most 1 MiB, or 64 KiB if it is not signed with a known key,
//     and all bodies together have a bound, of which each takes as much as has
//     arrived. A form has at most 4,000 parameters, and what is built of it is
//     bounded by the model's constraints.
//  3. What is decoded is what was sent: text that is not UTF-8, parameters given
//     twice and values that are none of their kind are refused. Parameters that
//     the model does not know are passed over.
//  4. Every error leaves as an ErrorResponse with the service's code and its
//     status; one that was not foreseen leaves without its cause.
//
// It knows no service: models come generated, rules come from handlers, and
// sentences about the domain from each front's ErrorMapper. That an action does
// not exist or is not offered is said to anyone, as AWS does.
//
// The protocol: https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
package awsquery
