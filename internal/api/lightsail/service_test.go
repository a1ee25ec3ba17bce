package lightsail_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/lightsail"
	"github.com/aws/aws-sdk-go-v2/service/lightsail/types"
	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/meta"
)

func TestCreateContainerService(t *testing.T) {
	w := open(t)
	out, err := w.CreateContainerService(w.ctx, &sdk.CreateContainerServiceInput{
		ServiceName: aws.String("web"), Power: types.ContainerServicePowerNameMicro, Scale: aws.Int32(3),
		Tags:                  []types.Tag{{Key: aws.String("team"), Value: aws.String("a")}, {Key: aws.String("alone")}},
		PublicDomainNames:     map[string][]string{},
		PrivateRegistryAccess: &types.PrivateRegistryAccessRequest{EcrImagePullerRole: &types.ContainerServiceECRImagePullerRoleRequest{IsActive: aws.Bool(false)}},
	})
	w.must(err)
	s := out.ContainerService
	if s.State != types.ContainerServiceStatePending || s.StateDetail == nil {
		t.Errorf("state %s, detail %v", s.State, s.StateDetail)
	}
	if !regexp.MustCompile(`^arn:aws:lightsail:eu-west-1:123456789012:ContainerService/[0-9a-f-]{36}$`).MatchString(*s.Arn) {
		t.Errorf("ARN %s", *s.Arn)
	}
	if !regexp.MustCompile(`^https://web\.[0-9a-f]{13}\.eu-west-1\.cs\.amazonlightsail\.com/$`).MatchString(*s.Url) {
		t.Errorf("URL %s", *s.Url)
	}
	got := fmt.Sprint(*s.ContainerServiceName, s.Power, *s.PowerId, *s.Scale, s.ResourceType, *s.Location.AvailabilityZone, s.Location.RegionName,
		*s.IsDisabled, *s.PrivateDomainName, *s.PrincipalArn == "", *s.PrivateRegistryAccess.EcrImagePullerRole.IsActive)
	if want := fmt.Sprint("web", "micro", "micro-1", 3, "ContainerService", "all", "eu-west-1", false, "web.service.local", true, false); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if !s.CreatedAt.Equal(w.clock.Now()) {
		t.Errorf("created at %v, want %v", s.CreatedAt, w.clock.Now())
	}
	if len(s.Tags) != 2 || *s.Tags[0].Key != "alone" || s.Tags[0].Value != nil || *s.Tags[1].Value != "a" {
		t.Errorf("tags %v", s.Tags)
	}
	later, err := w.GetContainerServices(w.ctx, &sdk.GetContainerServicesInput{ServiceName: aws.String("web")})
	w.must(err)
	found := later.ContainerServices[0]
	if found.State != types.ContainerServiceStateReady || found.StateDetail != nil || found.CurrentDeployment != nil || found.NextDeployment != nil {
		t.Errorf("later state %s, detail %v", found.State, found.StateDetail)
	}
	if *found.Arn != *s.Arn || *found.Url != *s.Url {
		t.Errorf("later ARN %s and URL %s", *found.Arn, *found.Url)
	}
}

func TestCreateContainerServiceRefuses(t *testing.T) {
	w := open(t)
	w.create("taken")
	many := make([]types.Tag, 51)
	for i := range many {
		many[i].Key = aws.String(fmt.Sprint(i))
	}
	for _, c := range []struct {
		name   string
		change func(*sdk.CreateContainerServiceInput)
		text   string
	}{
		{"a name that is taken", func(in *sdk.CreateContainerServiceInput) { in.ServiceName = aws.String("taken") }, "taken already exists"},
		{"capitals", func(in *sdk.CreateContainerServiceInput) { in.ServiceName = aws.String("Web") },
			"1 validation error detected: Value 'Web' at 'serviceName' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-z0-9]{1,2}|[a-z0-9][a-z0-9-]+[a-z0-9]$"},
		{"a name that only begins well", func(in *sdk.CreateContainerServiceInput) { in.ServiceName = aws.String("ab!!!") }, "at 'serviceName'"},
		{"a name of 64 characters", func(in *sdk.CreateContainerServiceInput) { in.ServiceName = aws.String(strings.Repeat("a", 64)) }, "length less than or equal to 63"},
		{"an unknown power", func(in *sdk.CreateContainerServiceInput) { in.Power = "giant" }, "Value 'giant' at 'power'"},
		{"21 nodes", func(in *sdk.CreateContainerServiceInput) { in.Scale = aws.Int32(21) }, "value less than or equal to 20"},
		{"no nodes", func(in *sdk.CreateContainerServiceInput) { in.Scale = aws.Int32(0) }, "value greater than or equal to 1"},
		{"51 tags", func(in *sdk.CreateContainerServiceInput) { in.Tags = many }, "at most 50 tags"},
		{"a tag without a key", func(in *sdk.CreateContainerServiceInput) { in.Tags = []types.Tag{{Value: aws.String("v")}} }, "tag key"},
		{"a tag of AWS's own", func(in *sdk.CreateContainerServiceInput) { in.Tags = []types.Tag{{Key: aws.String("aws:x")}} }, "'aws:x'"},
		{"a deployment", func(in *sdk.CreateContainerServiceInput) {
			in.Deployment = &types.ContainerServiceDeploymentRequest{Containers: map[string]types.Container{"a": {Image: aws.String("nginx")}}}
		}, "deployment is not offered: this server stores container images and does not run them."},
		{"custom domains", func(in *sdk.CreateContainerServiceInput) {
			in.PublicDomainNames = map[string][]string{"certificate": {"www.example.com"}}
		}, "publicDomainNames is not offered"},
		{"a role that pulls", func(in *sdk.CreateContainerServiceInput) {
			in.PrivateRegistryAccess = &types.PrivateRegistryAccessRequest{EcrImagePullerRole: &types.ContainerServiceECRImagePullerRoleRequest{IsActive: aws.Bool(true)}}
		}, "privateRegistryAccess is not offered"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := &sdk.CreateContainerServiceInput{ServiceName: aws.String("new"), Power: types.ContainerServicePowerNameNano, Scale: aws.Int32(1)}
			c.change(in)
			_, err := w.CreateContainerService(w.ctx, in)
			w.want(err, "InvalidInputException", 400, c.text)
			if diff := cmp.Diff([]string{"taken"}, w.services()); diff != "" {
				t.Errorf("services (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUpdateContainerService(t *testing.T) {
	w := open(t)
	w.create("web")
	state := func() types.ContainerServiceState {
		out, err := w.GetContainerServices(w.ctx, &sdk.GetContainerServicesInput{ServiceName: aws.String("web")})
		w.must(err)
		return out.ContainerServices[0].State
	}
	out, err := w.UpdateContainerService(w.ctx, &sdk.UpdateContainerServiceInput{
		ServiceName: aws.String("web"), Power: types.ContainerServicePowerNameLarge, Scale: aws.Int32(2), IsDisabled: aws.Bool(true),
		PublicDomainNames: map[string][]string{"certificate": {}},
	})
	w.must(err)
	s := out.ContainerService
	if s.State != types.ContainerServiceStateUpdating || s.Power != "large" || *s.PowerId != "large-1" || *s.Scale != 2 || !*s.IsDisabled {
		t.Errorf("answered %s, %s, %d", s.State, s.Power, *s.Scale)
	}
	if got := state(); got != types.ContainerServiceStateDisabled {
		t.Errorf("state %s", got)
	}
	_, err = w.UpdateContainerService(w.ctx, &sdk.UpdateContainerServiceInput{ServiceName: aws.String("web"), IsDisabled: aws.Bool(false)})
	w.must(err)
	if got := state(); got != types.ContainerServiceStateReady {
		t.Errorf("state %s", got)
	}
	for _, c := range []struct {
		name, code, text string
		in               sdk.UpdateContainerServiceInput
	}{
		{"an unknown service", "NotFoundException", "none does not exist", sdk.UpdateContainerServiceInput{ServiceName: aws.String("none")}},
		{"too many nodes", "InvalidInputException", "'scale'", sdk.UpdateContainerServiceInput{ServiceName: aws.String("web"), Scale: aws.Int32(21)}},
		{"custom domains", "InvalidInputException", "publicDomainNames", sdk.UpdateContainerServiceInput{ServiceName: aws.String("web"), Scale: aws.Int32(5), PublicDomainNames: map[string][]string{"c": {"d"}}}},
		{"a role that pulls", "InvalidInputException", "privateRegistryAccess", sdk.UpdateContainerServiceInput{ServiceName: aws.String("web"), Scale: aws.Int32(5),
			PrivateRegistryAccess: &types.PrivateRegistryAccessRequest{EcrImagePullerRole: &types.ContainerServiceECRImagePullerRoleRequest{IsActive: aws.Bool(true)}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := w.UpdateContainerService(w.ctx, &c.in)
			w.want(err, c.code, 400, c.text)
			found, err := w.GetContainerServices(w.ctx, &sdk.GetContainerServicesInput{ServiceName: aws.String("web")})
			w.must(err)
			if scale := *found.ContainerServices[0].Scale; scale != 2 {
				t.Errorf("scale %d", scale)
			}
		})
	}
}

func TestDeleteContainerService(t *testing.T) {
	w := open(t)
	first := w.create("web")
	d := w.push("a")
	w.register("web", "app", d)
	w.register("web", "app", d)
	_, err := w.DeleteContainerService(w.ctx, &sdk.DeleteContainerServiceInput{ServiceName: aws.String("web")})
	w.must(err)
	_, err = w.GetContainerServices(w.ctx, &sdk.GetContainerServicesInput{ServiceName: aws.String("web")})
	w.want(err, "NotFoundException", 400, "web does not exist")
	_, err = w.DeleteContainerService(w.ctx, &sdk.DeleteContainerServiceInput{ServiceName: aws.String("web")})
	w.want(err, "NotFoundException", 400, "")
	if second := w.create("web"); *second.Arn == *first.Arn {
		t.Errorf("the second service has the ARN of the first")
	}
	if got := *w.register("web", "app", d).Image; got != ":web.app.1" {
		t.Errorf("the second service begins with %s", got)
	}
}

func TestGetContainerServices(t *testing.T) {
	w := open(t)
	if got := w.services(); len(got) != 0 {
		t.Errorf("services %v", got)
	}
	w.create("b")
	w.create("a")
	if diff := cmp.Diff([]string{"a", "b"}, w.services()); diff != "" {
		t.Errorf("services (-want +got):\n%s", diff)
	}
	_, err := w.GetContainerServices(w.ctx, &sdk.GetContainerServicesInput{ServiceName: aws.String("c")})
	w.want(err, "NotFoundException", 400, "c does not exist")
	abroad, err := w.client("us-east-1", secret).GetContainerServices(w.ctx, &sdk.GetContainerServicesInput{})
	w.must(err)
	if len(abroad.ContainerServices) != 0 {
		t.Errorf("another region has %d services", len(abroad.ContainerServices))
	}
}

func TestGetContainerServicePowers(t *testing.T) {
	w := open(t)
	out, err := w.GetContainerServicePowers(w.ctx, &sdk.GetContainerServicePowersInput{})
	w.must(err)
	var got []string
	for _, p := range out.Powers {
		got = append(got, fmt.Sprint(*p.Name, *p.PowerId, *p.CpuCount, *p.RamSizeInGb, *p.Price, *p.IsActive))
	}
	want := []string{
		fmt.Sprint("nano", "nano-1", 0.25, 0.5, 7, true), fmt.Sprint("micro", "micro-1", 0.25, 1, 10, true), fmt.Sprint("small", "small-1", 0.5, 1, 15, true),
		fmt.Sprint("medium", "medium-1", 1, 2, 40, true), fmt.Sprint("large", "large-1", 2, 4, 80, true), fmt.Sprint("xlarge", "xlarge-1", 4, 8, 160, true),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("powers (-want +got):\n%s", diff)
	}
}

func TestGetContainerAPIMetadata(t *testing.T) {
	w := open(t)
	out, err := w.GetContainerAPIMetadata(w.ctx, &sdk.GetContainerAPIMetadataInput{})
	w.must(err)
	if len(out.Metadata) != 1 || out.Metadata[0]["name"] != "lightsailctlVersion" || !regexp.MustCompile(`^v\d+\.\d+\.\d+$`).MatchString(out.Metadata[0]["value"]) {
		t.Errorf("metadata %v", out.Metadata)
	}
}

func TestCreateContainerServiceRegistryLogin(t *testing.T) {
	w := open(t)
	_, err := w.CreateContainerServiceRegistryLogin(w.ctx, &sdk.CreateContainerServiceRegistryLoginInput{})
	w.want(err, "InvalidInputException", 400, "You must create a container service before retrieving container registry login credentials")
	w.create("web")
	out, err := w.CreateContainerServiceRegistryLogin(w.ctx, &sdk.CreateContainerServiceRegistryLoginInput{})
	w.must(err)
	login := out.RegistryLogin
	if "http://"+*login.Registry != w.server.URL || *login.Username != "AWS" {
		t.Errorf("registry %s, user %s", *login.Registry, *login.Username)
	}
	if want := w.clock.Now().Add(12 * time.Hour); !login.ExpiresAt.Equal(want) {
		t.Errorf("expires at %v, want %v", login.ExpiresAt, want)
	}
	caller, err := w.authority.VerifyToken(w.ctx, *login.Username, *login.Password)
	w.must(err)
	if caller.Scope != identity.LightsailPush || caller.Account != account || caller.Region != region {
		t.Errorf("the login speaks for %+v", caller)
	}
	_, err = w.client("us-east-1", secret).CreateContainerServiceRegistryLogin(w.ctx, &sdk.CreateContainerServiceRegistryLoginInput{})
	w.want(err, "InvalidInputException", 400, "")
}

func TestWhoCannotProveWhoItIsGetsTheProtocolsCodes(t *testing.T) {
	w := open(t)
	_, err := w.client(region, "wrong").GetContainerServices(w.ctx, &sdk.GetContainerServicesInput{})
	w.want(err, "InvalidSignatureException", 400, "")
}

func TestAStoreThatFailsIsTheServersFault(t *testing.T) {
	w := open(t)
	w.create("web")
	for _, c := range []struct {
		cause error
		text  string
	}{{meta.ErrUnavailable, "cannot store"}, {meta.ErrFull, "storage of the server is full"}, {meta.ErrConflict, "internal error"}} {
		w.faults.SetDown(c.cause)
		_, err := w.CreateContainerService(w.ctx, &sdk.CreateContainerServiceInput{ServiceName: aws.String("new"), Power: "nano", Scale: aws.Int32(1)})
		w.want(err, "ServiceException", 500, c.text)
		_, err = w.RegisterContainerImage(w.ctx, &sdk.RegisterContainerImageInput{ServiceName: aws.String("web"), Label: aws.String("app"), Digest: aws.String("sha256:" + strings.Repeat("0", 64))})
		w.want(err, "ServiceException", 500, c.text)
		w.faults.Heal()
	}
	if diff := cmp.Diff([]string{"web"}, w.services()); diff != "" {
		t.Errorf("services (-want +got):\n%s", diff)
	}
}
