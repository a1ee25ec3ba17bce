package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/lightsail"
	lightsailtypes "github.com/aws/aws-sdk-go-v2/service/lightsail/types"
)

// tour is the steps, and what one leaves for the next.
type tour struct {
	addr      string
	ecr       *ecr.Client
	lightsail *lightsail.Client
	docker    *registry
	image     *image
}

const (
	repo    = "demo/hello"
	service = "web"
	label   = "hello"
	srTag   = "1700000000000000000-0123456789abc" // as lightsailctl makes them
)

func newTour(s *server) *tour {
	config := aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String("http://" + s.addr),
		Credentials: credentials.NewStaticCredentialsProvider(s.keyID, s.secret, ""),
	}
	return &tour{addr: s.addr, ecr: ecr.NewFromConfig(config), lightsail: lightsail.NewFromConfig(config)}
}

func (t *tour) run(ctx context.Context) error {
	say("Credentials and endpoints for the aws CLI and the SDKs", `eval "$(lighterage env)"`)
	steps := []func(context.Context) error{
		t.createRepository, t.login, t.push, t.pull, t.retag, t.describe,
		t.createService, t.registryLogin, t.register, t.list, t.refusePull, t.clean,
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	fmt.Println("\nDone: pushed, registered, pulled.")
	return nil
}

func (t *tour) createRepository(ctx context.Context) error {
	say("A repository", "aws ecr create-repository --repository-name "+repo)
	out, err := t.ecr.CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: aws.String(repo)})
	if err != nil {
		return err
	}
	fmt.Println("  repositoryUri", aws.ToString(out.Repository.RepositoryUri))
	return nil
}

func (t *tour) login(ctx context.Context) error {
	say("docker logs in", "aws ecr get-login-password | docker login --username AWS --password-stdin "+t.addr)
	out, err := t.ecr.GetAuthorizationToken(ctx, &ecr.GetAuthorizationTokenInput{})
	if err != nil {
		return err
	}
	plain, err := base64.StdEncoding.DecodeString(aws.ToString(out.AuthorizationData[0].AuthorizationToken))
	if err != nil {
		return err
	}
	user, password, _ := strings.Cut(string(plain), ":")
	t.docker = &registry{"http://" + t.addr, user, password}
	return t.docker.login()
}

func (t *tour) push(context.Context) error {
	say("An image goes up", "docker tag hello "+t.addr+"/"+repo+":1", "docker push "+t.addr+"/"+repo+":1")
	var err error
	if t.image, err = makeImage("hello from lighterage\n"); err != nil {
		return err
	}
	if err := t.docker.push(repo, "1", t.image); err != nil {
		return err
	}
	fmt.Println("  digest", t.image.digest())
	return nil
}

func (t *tour) pull(context.Context) error {
	say("It comes back, every byte checked", "docker pull "+t.addr+"/"+repo+":1")
	got, err := t.docker.pull(repo, "1")
	if err != nil {
		return err
	}
	if got != t.image.digest() {
		return fmt.Errorf("pulled %s, pushed %s", got, t.image.digest())
	}
	fmt.Println("  digest", got)
	return nil
}

func (t *tour) retag(ctx context.Context) error {
	say("A second tag, without docker",
		"MANIFEST=$(aws ecr batch-get-image --repository-name "+repo+" --image-ids imageTag=1 --query 'images[0].imageManifest' --output text)",
		"aws ecr put-image --repository-name "+repo+` --image-tag stable --image-manifest "$MANIFEST"`)
	got, err := t.ecr.BatchGetImage(ctx, &ecr.BatchGetImageInput{
		RepositoryName: aws.String(repo), ImageIds: []ecrtypes.ImageIdentifier{{ImageTag: aws.String("1")}},
	})
	if err != nil {
		return err
	}
	if len(got.Images) != 1 {
		return fmt.Errorf("%d images with the tag", len(got.Images))
	}
	_, err = t.ecr.PutImage(ctx, &ecr.PutImageInput{
		RepositoryName: aws.String(repo), ImageTag: aws.String("stable"), ImageManifest: got.Images[0].ImageManifest,
	})
	return err
}

func (t *tour) describe(ctx context.Context) error {
	say("What the repository holds", "aws ecr describe-images --repository-name "+repo)
	out, err := t.ecr.DescribeImages(ctx, &ecr.DescribeImagesInput{RepositoryName: aws.String(repo)})
	if err != nil {
		return err
	}
	for _, d := range out.ImageDetails {
		fmt.Printf("  %s tags %s, %d bytes\n", aws.ToString(d.ImageDigest), strings.Join(d.ImageTags, " "), aws.ToInt64(d.ImageSizeInBytes))
	}
	return nil
}

func (t *tour) createService(ctx context.Context) error {
	say("A Lightsail container service", "aws lightsail create-container-service --service-name "+service+" --power nano --scale 1")
	_, err := t.lightsail.CreateContainerService(ctx, &lightsail.CreateContainerServiceInput{
		ServiceName: aws.String(service), Power: lightsailtypes.ContainerServicePowerNameNano, Scale: aws.Int32(1),
	})
	return err
}

func (t *tour) registryLogin(ctx context.Context) error {
	say("docker logs in for pushes to Lightsail; it keeps one login a host, so this one takes the place of the other",
		"aws lightsail create-container-service-registry-login", "docker login --username … --password-stdin "+t.addr)
	out, err := t.lightsail.CreateContainerServiceRegistryLogin(ctx, &lightsail.CreateContainerServiceRegistryLoginInput{})
	if err != nil {
		return err
	}
	login := out.RegistryLogin
	t.docker = &registry{"http://" + aws.ToString(login.Registry), aws.ToString(login.Username), aws.ToString(login.Password)}
	return t.docker.login()
}

func (t *tour) register(ctx context.Context) error {
	say("An image for the service", "docker push "+t.addr+"/sr:"+srTag,
		"aws lightsail register-container-image --service-name "+service+" --label "+label+" --digest "+t.image.digest().String())
	if err := t.docker.push("sr", srTag, t.image); err != nil {
		return err
	}
	out, err := t.lightsail.RegisterContainerImage(ctx, &lightsail.RegisterContainerImageInput{
		ServiceName: aws.String(service), Label: aws.String(label), Digest: aws.String(t.image.digest().String()),
	})
	if err != nil {
		return err
	}
	fmt.Println("  image", aws.ToString(out.ContainerImage.Image))
	return nil
}

func (t *tour) list(ctx context.Context) error {
	say("The service's images", "aws lightsail get-container-images --service-name "+service)
	out, err := t.lightsail.GetContainerImages(ctx, &lightsail.GetContainerImagesInput{ServiceName: aws.String(service)})
	if err != nil {
		return err
	}
	for _, i := range out.ContainerImages {
		fmt.Printf("  %s %s\n", aws.ToString(i.Image), aws.ToString(i.Digest))
	}
	return nil
}

func (t *tour) refusePull(context.Context) error {
	say("The Lightsail login is for pushes alone", "docker pull "+t.addr+"/sr:"+srTag)
	resp, _, err := t.docker.do("GET", t.docker.base+"/v2/sr/manifests/"+srTag, nil, nil, http.StatusForbidden)
	if err != nil {
		return errors.Join(errors.New("the pull was not refused"), err)
	}
	fmt.Println("  refused:", resp.Status)
	return nil
}

func (t *tour) clean(ctx context.Context) error {
	say("All of it goes again", "aws lightsail delete-container-service --service-name "+service,
		"aws ecr delete-repository --repository-name "+repo+" --force")
	_, err := t.lightsail.DeleteContainerService(ctx, &lightsail.DeleteContainerServiceInput{ServiceName: aws.String(service)})
	if err != nil {
		return err
	}
	_, err = t.ecr.DeleteRepository(ctx, &ecr.DeleteRepositoryInput{RepositoryName: aws.String(repo), Force: true})
	return err
}
