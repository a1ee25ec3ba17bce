// Package lifecycle holds the rules by which a repository's images expire: the
// lifecycle policies of Amazon ECR, and what of them is ours.
//
// Parse and Evaluate are pure. They promise:
//
//  1. A text that ECR refuses is refused with ECR's sentence; a text that it
//     takes is taken, and means the same. What is ours beyond is taken too
//     unless Options.Strict, and refused then as ECR does.
//  2. Evaluate depends on the set of images and the moment alone: not on their
//     order, and not on what a rule of higher number does.
//  3. An image is acted on by one rule at most: by the first whose tagging
//     requirement it meets, or by none.
//  4. No image that an index lists is acted on, but archived when the index is,
//     and no referrer apart from its subject.
//  5. What is not known, such as the time of a transition, counts for the
//     image: it stays.
//  6. Parse takes time in proportion to the text, Evaluate to images times
//     rules, and both memory in proportion to what they read.
//
// The rules in words, with examples, are in docs/lifecycle.md.
package lifecycle
