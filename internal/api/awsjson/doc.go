// Package awsjson is the AWS JSON 1.1 protocol: it finds the operation that a
// request means, decodes and checks its input by the service's model, asks
// whether the caller may, calls the handler and encodes what it returns.
//
//  1. Nothing acts before the signature was proven over the hash of the bytes
//     that were read, and before access allowed it.
//  2. Who has not proven a signature learns nothing about the body sent: of a
//     body's faults only its size is answered before the signature's.
//  3. Memory is bounded: bodies by a limit that follows from the model, nesting
//     by a depth, lists and strings by their constraints, and what all requests
//     together hold by one budget, of which each takes as much as it has sent.
//     A blob is decoded as it arrives; its base64 text is never held.
//  4. What is decoded is what was sent: text that is not UTF-8, names given
//     twice, numbers that do not fit and bytes after the end are refused.
//  5. Every error leaves with the code, text and status of the service's own,
//     and an unforeseen one without its cause.
//
// It knows no service: models come generated, rules come from handlers, and
// sentences about the domain from each front's ErrorMapper.
//
// Protocol: https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
package awsjson
