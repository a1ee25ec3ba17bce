package server_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/lighterage/lighterage/internal/testkit"
)

// operation is a request of a kind. Each run has a number of its own, for names
// and bytes that no other run has.
type operation struct {
	name    string
	status  int
	before  func(w *world, n int) // makes what the run needs
	cold    bool                  // the server has just started
	again   bool                  // nothing was written since the run before
	request func(w *world, n int) *http.Request
	pass    string // the name of a background pass that is run, in the place of a request

	next int // number of the next run
}

// prepare makes what the operations are about.
func (w *world) prepare() {
	w.ask(w.ecr("CreateRepository", `{"repositoryName":"`+repository+`"}`), 200)
	w.ask(w.ecr("CreateRepository", `{"repositoryName":"team/source"}`), 200)
	for _, b := range [][]byte{configBlob, layerBlob, largeBlob} {
		w.pushBlob(b)
	}
	for n := range 60 { // more than a page
		w.image("first", n)
		w.ask(w.ecr("CreateRepository", fmt.Sprintf(`{"repositoryName":"first/%d"}`, n)), 200)
	}
	w.ask(w.ecr("BatchGetImage", `{"repositoryName":"`+repository+`","imageIds":[`+firsts(60)+`]}`), 200)
	w.pass("record pulls")
	for n := range 60 {
		w.image("again", n)
	}
}

// firsts names images that were there first, as ids of the AWS API.
func firsts(n int) string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf(`{"imageTag":"first-%d"}`, i)
	}
	return strings.Join(ids, ",")
}

func operations() []*operation {
	first, small, big := testkit.Digest(manifestOf("first", 0)), testkit.Digest(layerBlob), testkit.Digest(largeBlob)
	// at is a request without a body, always the same.
	at := func(method, path string) func(*world, int) *http.Request {
		return func(w *world, _ int) *http.Request { return w.oci(method, path, nil) }
	}
	// asks is a call of ECR's API, always the same.
	asks := func(operation, input string) func(*world, int) *http.Request {
		input = `{"repositoryName":"` + repository + `"` + input + `}`
		return func(w *world, _ int) *http.Request { return w.ecr(operation, input) }
	}
	// named is a call of ECR's API with the run's number in its input.
	named := func(operation, input string) func(*world, int) *http.Request {
		return func(w *world, n int) *http.Request { return w.ecr(operation, fmt.Sprintf(input, n)) }
	}
	image := func(kind string) func(*world, int) { return func(w *world, n int) { w.image(kind, n) } }
	return []*operation{
		{name: "GET /v2/", status: 200, request: at("GET", "")},
		{name: "HEAD manifest by tag", status: 200, request: at("HEAD", repository+"/manifests/first-0")},
		{name: "HEAD manifest by tag, again", again: true, status: 200, request: at("HEAD", repository+"/manifests/first-0")},
		{name: "HEAD manifest by digest", status: 200, request: at("HEAD", repository+"/manifests/"+first)},
		{name: "HEAD manifest that is not there", status: 404, request: at("HEAD", repository+"/manifests/none")},
		{name: "GET manifest by tag, in memory", status: 200, request: at("GET", repository+"/manifests/first-0")},
		{name: "GET manifest by digest, in memory", status: 200, request: at("GET", repository+"/manifests/"+first)},
		{name: "GET manifest from a server that has just started", status: 200, before: image("cold"), cold: true,
			request: func(w *world, n int) *http.Request {
				return w.oci("GET", repository+"/manifests/"+testkit.Digest(manifestOf("cold", n)), nil)
			}},
		{name: "HEAD blob", status: 200, request: at("HEAD", repository+"/blobs/"+small)},
		{name: "HEAD blob, again", again: true, status: 200, request: at("HEAD", repository+"/blobs/"+small)},
		{name: "HEAD blob that is not there", status: 404, request: at("HEAD", repository+"/blobs/"+testkit.Digest([]byte("none")))},
		{name: "GET small blob, in memory", status: 200, request: at("GET", repository+"/blobs/"+small)},
		{name: "GET small blob from a server that has just started", status: 200, cold: true,
			before: func(w *world, n int) { w.pushBlob(blobOf("cold", n, 1000)) },
			request: func(w *world, n int) *http.Request {
				return w.oci("GET", repository+"/blobs/"+testkit.Digest(blobOf("cold", n, 1000)), nil)
			}},
		{name: "GET large blob", status: 200, request: at("GET", repository+"/blobs/"+big)},

		{name: "POST upload", status: 202, request: at("POST", repository+"/blobs/uploads/")},
		{name: "POST whole small blob", status: 201, request: func(w *world, n int) *http.Request {
			content := blobOf("whole", n, 1000)
			return w.oci("POST", repository+"/blobs/uploads/?digest="+testkit.Digest(content), content)
		}},
		{name: "PUT small blob at the end of an upload", status: 201, request: func(w *world, n int) *http.Request {
			content := blobOf("put", n, 1000)
			return w.oci("PUT", w.begin()+"?digest="+testkit.Digest(content), content)
		}},
		{name: "PUT small blob that the repository has", status: 201, request: func(w *world, n int) *http.Request {
			return w.oci("PUT", w.begin()+"?digest="+small, layerBlob)
		}},
		{name: "PATCH small blob", status: 202, request: func(w *world, n int) *http.Request {
			return w.oci("PATCH", w.begin(), blobOf("patch", n, 1000))
		}},
		{name: "PUT after PATCH of a small blob", status: 201, request: func(w *world, n int) *http.Request {
			content := blobOf("patched", n, 1000)
			return w.oci("PUT", w.sent(content)+"?digest="+testkit.Digest(content), nil)
		}},
		{name: "PATCH large blob", status: 202, request: func(w *world, n int) *http.Request {
			return w.oci("PATCH", w.begin(), blobOf("patch", n, 300_000))
		}},
		{name: "PUT after PATCH of a large blob", status: 201, request: func(w *world, n int) *http.Request {
			content := blobOf("patched", n, 300_000)
			return w.oci("PUT", w.sent(content)+"?digest="+testkit.Digest(content), nil)
		}},
		{name: "PUT large blob at the end of an upload", status: 201, request: func(w *world, n int) *http.Request {
			content := blobOf("put", n, 300_000)
			return w.oci("PUT", w.begin()+"?digest="+testkit.Digest(content), content)
		}},
		{name: "POST mount", status: 201,
			before: func(w *world, n int) { w.pushBlob(blobOf("mount", n, 1000)) },
			request: func(w *world, n int) *http.Request {
				return w.oci("POST", "team/source/blobs/uploads/?from="+repository+"&mount="+testkit.Digest(blobOf("mount", n, 1000)), nil)
			}},
		{name: "POST mount without a source", status: 201,
			before: func(w *world, n int) { w.pushBlob(blobOf("mounts", n, 1000)) },
			request: func(w *world, n int) *http.Request {
				return w.oci("POST", "team/source/blobs/uploads/?mount="+testkit.Digest(blobOf("mounts", n, 1000)), nil)
			}},
		{name: "DELETE blob", status: 202,
			before: func(w *world, n int) { w.pushBlob(blobOf("delete", n, 1000)) },
			request: func(w *world, n int) *http.Request {
				return w.oci("DELETE", repository+"/blobs/"+testkit.Digest(blobOf("delete", n, 1000)), nil)
			}},

		{name: "PUT manifest of a new image with a new tag", status: 201, request: func(w *world, n int) *http.Request {
			return w.putManifest(repository, fmt.Sprint("new-", n), manifestOf("new", n))
		}},
		{name: "PUT manifest of a new image without a tag", status: 201, request: func(w *world, n int) *http.Request {
			body := manifestOf("untagged", n)
			return w.putManifest(repository, testkit.Digest(body), body)
		}},
		{name: "PUT manifest that is there with a new tag", status: 201, request: func(w *world, n int) *http.Request {
			return w.putManifest(repository, fmt.Sprint("more-", n), manifestOf("again", n))
		}},
		{name: "PUT manifest that is there with the tag that it has", status: 201, request: func(w *world, n int) *http.Request {
			return w.putManifest(repository, "first-1", manifestOf("first", 1))
		}},
		{name: "PUT manifest of a new image with a tag of another", status: 201, request: func(w *world, n int) *http.Request {
			return w.putManifest(repository, "moved", manifestOf("moved", n))
		}},
		{name: "PUT manifest of a new image with a subject", status: 201, request: func(w *world, n int) *http.Request {
			return w.putManifest(repository, fmt.Sprint("signature-", n), signatureOf(n))
		}},
		{name: "GET referrers", status: 200,
			before: func(w *world, n int) {
				w.ask(w.putManifest(repository, fmt.Sprint("signed-", n), signatureOf(1_000_000+n)), 201)
			},
			request: func(w *world, n int) *http.Request {
				return w.oci("GET", repository+"/referrers/"+subjectOf(1_000_000+n), nil)
			}},
		{name: "DELETE tag", status: 202, before: image("tag"), request: func(w *world, n int) *http.Request {
			return w.oci("DELETE", fmt.Sprint(repository, "/manifests/tag-", n), nil)
		}},
		{name: "DELETE manifest", status: 202, before: image("delete"), request: func(w *world, n int) *http.Request {
			return w.oci("DELETE", repository+"/manifests/"+testkit.Digest(manifestOf("delete", n)), nil)
		}},
		{name: "PUT manifest of an index of two", status: 201,
			before: func(w *world, n int) { w.image("child", 2*n); w.image("child", 2*n+1) },
			request: func(w *world, n int) *http.Request {
				r := w.putManifest(repository, fmt.Sprint("index-", n), indexOf(2*n, 2*n+1))
				r.Header.Set("Content-Type", indexType)
				return r
			}},
		{name: "GET referrers of a type", status: 200,
			before: func(w *world, n int) {
				w.ask(w.putManifest(repository, fmt.Sprint("typed-", n), signatureOf(2_000_000+n)), 201)
			},
			request: func(w *world, n int) *http.Request {
				return w.oci("GET", repository+"/referrers/"+subjectOf(2_000_000+n)+"?artifactType=a/b&artifactType=c/d&artifactType="+testkit.ConfigType, nil)
			}},
		{name: "GET tags, a page of 50", status: 200, request: at("GET", repository+"/tags/list?n=50&last=a")},
		{name: "GET tags, a page of 50, again", again: true, status: 200, request: at("GET", repository+"/tags/list?n=50&last=a")},
		{name: "GET catalogue, a page of 50", status: 200, request: at("GET", "_catalog?n=50")},

		{name: "GetAuthorizationToken", status: 200, request: func(w *world, _ int) *http.Request {
			return w.ecr("GetAuthorizationToken", `{}`)
		}},
		{name: "CreateRepository", status: 200, request: named("CreateRepository", `{"repositoryName":"created/%d"}`)},
		{name: "DeleteRepository", status: 200,
			before: func(w *world, n int) {
				w.ask(w.ecr("CreateRepository", fmt.Sprintf(`{"repositoryName":"deleted/%d"}`, n)), 200)
			},
			request: named("DeleteRepository", `{"repositoryName":"deleted/%d"}`)},
		{name: "DescribeRepositories, one by name", status: 200, request: func(w *world, _ int) *http.Request {
			return w.ecr("DescribeRepositories", `{"repositoryNames":["`+repository+`"]}`)
		}},
		{name: "DescribeRepositories, a page of 50", status: 200, request: func(w *world, _ int) *http.Request {
			return w.ecr("DescribeRepositories", `{"maxResults":50}`)
		}},
		{name: "PutImage", status: 200, request: func(w *world, n int) *http.Request {
			return w.ecr("PutImage", fmt.Sprintf(`{"repositoryName":%q,"imageManifest":%q,"imageTag":"json-%d"}`, repository, manifestOf("json", n), n))
		}},
		{name: "BatchGetImage of one", status: 200, request: asks("BatchGetImage", `,"imageIds":[`+firsts(1)+`]`)},
		{name: "BatchGetImage of ten", status: 200, request: asks("BatchGetImage", `,"imageIds":[`+firsts(10)+`]`)},
		{name: "BatchDeleteImage of one tag", status: 200, before: image("batch"),
			request: named("BatchDeleteImage", `{"repositoryName":"`+repository+`","imageIds":[{"imageTag":"batch-%d"}]}`)},
		{name: "DescribeImages of ten", status: 200, request: asks("DescribeImages", `,"imageIds":[`+firsts(10)+`]`)},
		{name: "DescribeImages, a page of 50", status: 200, request: asks("DescribeImages", `,"maxResults":50`)},
		{name: "DescribeImages, a page of 50 untagged ones", status: 200, request: asks("DescribeImages", `,"maxResults":50,"filter":{"tagStatus":"UNTAGGED"}`)},
		{name: "DescribeImages, a page of 50 of any status", status: 200, request: asks("DescribeImages", `,"maxResults":50,"filter":{"imageStatus":"ANY","tagStatus":"TAGGED"}`)},
		{name: "ListImages, a page of 50", status: 200, request: asks("ListImages", `,"maxResults":50`)},
		{name: "BatchCheckLayerAvailability of three", status: 200, request: asks("BatchCheckLayerAvailability",
			fmt.Sprintf(`,"layerDigests":[%q,%q,%q]`, small, big, testkit.Digest([]byte("none"))))},
		{name: "GetDownloadUrlForLayer", status: 200, request: asks("GetDownloadUrlForLayer", fmt.Sprintf(`,"layerDigest":%q`, small))},
		{name: "InitiateLayerUpload", status: 200, request: asks("InitiateLayerUpload", "")},
		{name: "UploadLayerPart of a small part", status: 200, request: func(w *world, n int) *http.Request {
			return w.ecr("UploadLayerPart", part(w.initiate(), blobOf("part", n, 1000)))
		}},
		{name: "UploadLayerPart of a large part", status: 200, request: func(w *world, n int) *http.Request {
			return w.ecr("UploadLayerPart", part(w.initiate(), blobOf("part", n, 300_000)))
		}},
		{name: "CompleteLayerUpload of a large part", status: 200, request: func(w *world, n int) *http.Request {
			content, upload := blobOf("complete", n, 300_000), w.initiate()
			w.ask(w.ecr("UploadLayerPart", part(upload, content)), 200)
			return w.ecr("CompleteLayerUpload", fmt.Sprintf(`{"repositoryName":%q,"uploadId":%q,"layerDigests":[%q]}`, repository, upload, testkit.Digest(content)))
		}},

		{name: "GetContainerServices, one by name", status: 200, before: func(w *world, n int) { w.service(n) },
			request: func(w *world, n int) *http.Request {
				return w.lightsail("GetContainerServices", fmt.Sprintf(`{"serviceName":"web-%d"}`, n))
			}},
		{name: "RegisterContainerImage", status: 200, before: func(w *world, n int) { w.serviceImage(10_000 + n) },
			request: func(w *world, n int) *http.Request {
				return w.lightsail("RegisterContainerImage", fmt.Sprintf(`{"serviceName":"web-%d","label":"front","digest":%q}`, 10_000+n, testkit.Digest(manifestOf("service", 10_000+n))))
			}},
		{name: "CreateContainerServiceRegistryLogin", status: 200, request: func(w *world, _ int) *http.Request {
			return w.lightsail("CreateContainerServiceRegistryLogin", `{}`)
		}},

		{name: "CreateUser", status: 200, request: func(w *world, n int) *http.Request { return w.iam("CreateUser", fmt.Sprint("&UserName=created-", n)) }},
		{name: "GetUser", status: 200, before: func(w *world, n int) { w.user(n) },
			request: func(w *world, n int) *http.Request { return w.iam("GetUser", fmt.Sprint("&UserName=user-", n)) }},
		{name: "AttachUserPolicy", status: 200, before: func(w *world, n int) { w.user(10_000 + n) }, request: func(w *world, n int) *http.Request {
			return w.iam("AttachUserPolicy", fmt.Sprint("&PolicyArn=arn%3Aaws%3Aiam%3A%3Aaws%3Apolicy%2FReadOnlyAccess&UserName=user-", 10_000+n))
		}},
		{name: "CreateAccessKey", status: 200, before: func(w *world, n int) { w.user(20_000 + n) }, request: func(w *world, n int) *http.Request {
			return w.iam("CreateAccessKey", fmt.Sprint("&UserName=user-", 20_000+n))
		}},
		{name: "DeleteUser", status: 200, before: func(w *world, n int) { w.user(30_000 + n) },
			request: func(w *world, n int) *http.Request {
				return w.iam("DeleteUser", fmt.Sprint("&UserName=user-", 30_000+n))
			}},
		{name: "CreatePolicy", status: 200, request: func(w *world, n int) *http.Request { return w.iam("CreatePolicy", policyOf(n)) }},
		{name: "DeletePolicy", status: 200, before: func(w *world, n int) { w.ask(w.iam("CreatePolicy", policyOf(10_000+n)), 200) },
			request: func(w *world, n int) *http.Request {
				return w.iam("DeletePolicy", fmt.Sprintf("&PolicyArn=arn%%3Aaws%%3Aiam%%3A%%3A%s%%3Apolicy%%2Fpolicy-%d", w.config.Account, 10_000+n))
			}},
		{name: "ListUsers, a page of 50", status: 200, request: func(w *world, _ int) *http.Request { return w.iam("ListUsers", "&MaxItems=50") }},

		{name: "collecting a deleted repository", before: func(w *world, n int) { w.removed(n) }, pass: "collect garbage"},
		{name: "recording the first pull of an image", pass: "record pulls", before: func(w *world, n int) {
			w.image("pulled", n)
			w.ask(w.oci("GET", fmt.Sprint(repository, "/manifests/pulled-", n), nil), 200)
		}},
	}
}

func policyOf(n int) string {
	document := url.QueryEscape(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:*","Resource":"*"}}`)
	return fmt.Sprintf("&PolicyName=policy-%d&PolicyDocument=%s", n, document)
}

const indexType = "application/vnd.oci.image.index.v1+json"

func indexOf(children ...int) []byte {
	var list []string
	for _, n := range children {
		body := manifestOf("child", n)
		list = append(list, fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d}`, testkit.ManifestType, testkit.Digest(body), len(body)))
	}
	return fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"manifests":[%s]}`, indexType, strings.Join(list, ","))
}

// signatureOf is a manifest with a subject of its own.
func signatureOf(n int) []byte {
	m := testkit.Manifest(configBlob)
	return append(m[:len(m)-1], fmt.Sprintf(`,"subject":{"mediaType":%q,"digest":%q,"size":100}}`, testkit.ManifestType, subjectOf(n))...)
}

func subjectOf(n int) string { return testkit.Digest(fmt.Append(nil, "subject ", n)) }
