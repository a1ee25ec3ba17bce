// Package archtest reads the repository's own source and checks what the
// compiler does not: who imports whom, and which room a call may stand in.
//
//  1. Every package below internal and cmd has a row in the import table; its
//     code imports of ours only what the row names. Test code is free. No row
//     stands for a package that does not exist.
//  2. A standard package or call that belongs to one floor (net/http,
//     database/sql, file calls, the environment, the clock) stands only there.
//  3. Nothing hides: no init, no global logger, no blank import but drivers.
//  4. Tests neither sleep nor skip.
//  5. Every package says what it is; its name is a noun of its own.
//
// Sizes are questions: they are printed, and never fail.
//
// It knows syntax, not types: it reads imports and selectors.
package archtest
