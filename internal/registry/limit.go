package registry

// Limits is the table of quotas that the rules enforce; zero means unlimited.
// Values: the ECR user guide, service quotas; the ECR model for a manifest.
type Limits struct {
	Repositories   int64 // per registry
	ImagesPerRepo  int64
	TagsPerImage   int64
	LayerSize      int64 // bytes
	LayerParts     int64 // parts of one upload through the AWS API
	MinPartSize    int64 // bytes of every part but the last
	MaxPartSize    int64 // bytes of any part
	ResourceTags   int   // per resource
	ManifestSize   int64 // bytes
	LayersPerImage int64 // without the config
	// Strict keeps to what ECR does where a registry could do more. Layers are
	// mounted only if an image of the source refers to them, and once the
	// registry's setting says so; chunks that say where they belong are as large
	// as parts; nothing is empty; an index lists images alone; every digest is
	// sha256; an immutable tag is not put again even to the same image. Sources
	// stand where each is done.
	Strict bool
}
