package awsjson_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/smithy-go"

	"github.com/lighterage/lighterage/internal/api/apitest"
	"github.com/lighterage/lighterage/internal/api/awsmodel"
	"github.com/lighterage/lighterage/internal/edge"
)

func TestSDKTalksToIt(t *testing.T) {
	part := bytes.Repeat([]byte{0xfb, 0xff, 0}, 100_000)
	manifest := `{"schemaVersion":2,"note":"<é😀 >\n\"\\"}`
	var gotPart []byte
	var gotManifest string
	h := partHandler(t, 0, func(b awsmodel.Blob) { gotPart, _ = io.ReadAll(b.Reader()) }, func(m string) { gotManifest = m })
	server := httptest.NewServer(edge.Handler(h, edge.Options{Logger: slog.New(slog.DiscardHandler), Clock: time.Now, Idle: time.Minute}))
	defer server.Close()
	client := ecr.New(ecr.Options{
		Region:       "eu-west-1",
		BaseEndpoint: &server.URL,
		Credentials:  credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
		Retryer:      aws.NopRetryer{},
		HTTPClient:   apitest.NewClient(),
	})
	ctx := context.Background()

	out, err := client.UploadLayerPart(ctx, &ecr.UploadLayerPartInput{
		RepositoryName: new("team/app"), UploadId: new("00000000-0000-0000-0000-000000000000"),
		PartFirstByte: new(int64(0)), PartLastByte: new(int64(len(part) - 1)), LayerPartBlob: part,
	})
	if err != nil {
		t.Fatal(err)
	}
	if id, ok := middleware.GetRequestIDMetadata(out.ResultMetadata); !ok || len(id) != 36 {
		t.Errorf("the answer has no request id: %q", id)
	}
	if *out.LastByteReceived != int64(len(part)-1) || !bytes.Equal(gotPart, part) {
		t.Errorf("the part: answer %+v; %d bytes came", out, len(gotPart))
	}
	if _, err := client.PutImage(ctx, &ecr.PutImageInput{RepositoryName: new("team/app"), ImageManifest: &manifest}); err != nil || gotManifest != manifest {
		t.Errorf("the manifest: %q came, %v", gotManifest, err)
	}

	_, err = client.PutImage(ctx, &ecr.PutImageInput{RepositoryName: new("Team"), ImageManifest: &manifest})
	if invalid, ok := errors.AsType[*types.InvalidParameterException](err); !ok || invalid.ErrorFault() != smithy.FaultClient {
		t.Errorf("a bad name: %v, want an InvalidParameterException", err)
	}
	_, err = client.DescribeRegistry(ctx, &ecr.DescribeRegistryInput{})
	if api, ok := errors.AsType[smithy.APIError](err); !ok || api.ErrorCode() != "UnknownOperationException" || api.ErrorMessage() != "DescribeRegistry is not offered by this server" {
		t.Errorf("an operation that is not offered: %v", err)
	}
}
