package registry

// Limits is the table of quotas that the rules enforce; zero means unlimited.
// Values: the ECR user guide, service quotas; the ECR model for a manifest.
type Limits struct {
	Repositories        int64 // per registry
	ImagesPerRepo       int64
	TagsPerImage        int64
	LayerSize           int64 // bytes
	LayerParts          int64 // parts of one upload through the AWS API
	MinPartSize         int64 // bytes of every part but the last
	MaxPartSize         int64 // bytes of any part
	ResourceTags        int   // per resource
	ManifestSize        int64 // bytes
	MountReferencedOnly bool  // mount only layers that an image of the source refers to
}
