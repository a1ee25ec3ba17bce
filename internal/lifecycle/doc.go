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
// Runner keeps policies, and does what they say. It promises:
//
//  7. A run does what a preview at the same moment says, unless something
//     happens to the images meanwhile; then it does less.
//  8. An image goes in a transaction that found it as it was when it was
//     selected, and the policy still the repository's.
//  9. What others delete while a policy runs makes no rule keep less than it
//     says.
//  10. Nothing is done that the journal could not be told of, and each image
//     that went it is told of once; a process that dies between the two tells
//     of at most ten too few.
//  11. Each transaction is bounded. One repository at a time is in memory.
//
// It does not decide when RunDue is called: package worker does.
//
// The rules in words, with examples, are in docs/lifecycle.md.
package lifecycle
