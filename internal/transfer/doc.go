// Package transfer copies images from one place to another: out of registries,
// OCI layouts and the trees of CNCF distribution into a registry, and out of a
// registry into an OCI layout.
//
//  1. Bytes stay what they are: a manifest arrives as it was, under the same
//     digest. What does not hash to its digest on the way is not delivered, and
//     the image that needs it fails by name.
//  2. What refers comes last: layers and children before the image, the image
//     before its tag. A copy that was interrupted is continued by copying again;
//     what has arrived is not sent again.
//  3. Images of one repository arrive in the order in which the source lists
//     them, however many are on their way at a time.
//  4. A failed image does not stop the others.
//  5. A registry that is spoken to over TLS leads nowhere in the clear, and a
//     credential that is handed over goes to its host alone.
//
// It neither makes repositories nor knows what settings are: who calls it does.
package transfer
