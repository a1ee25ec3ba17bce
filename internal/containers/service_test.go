package containers_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/containers"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/name"
)

func TestAServiceIsPendingInTheAnswerAndReadyAfterwards(t *testing.T) {
	w := open(t, containers.Limits{})
	tags := []containers.ResourceTag{{Key: "alone"}, {Key: "team", Value: "a"}}
	created, err := w.CreateService(w.ctx, key("web"), "micro", 3, tags)
	w.must(err)
	if created.State != containers.Pending {
		t.Errorf("created in state %v", created.State)
	}
	if want := "arn:aws:lightsail:us-east-1:000000000000:ContainerService/" + created.ResourceID; created.ARN() != want || created.ResourceID == "" {
		t.Errorf("ARN %s, want %s", created.ARN(), want)
	}
	found, err := w.Service(w.ctx, key("web"))
	w.must(err)
	want := created
	want.State = containers.Ready
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
	if found.Power != "micro" || found.Scale != 3 || !found.CreatedAt.Equal(w.clock.Now()) {
		t.Errorf("found %+v", found)
	}
	if diff := cmp.Diff(tags, found.Tags); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
}

func TestCreateServiceRefuses(t *testing.T) {
	many := make([]containers.ResourceTag, 51)
	for i := range many {
		many[i].Key = fmt.Sprint(i)
	}
	w := open(t, containers.Limits{Services: 2, Nodes: 20, ResourceTags: 50})
	w.create("taken")
	for _, c := range []struct {
		name    string
		service string
		power   string
		scale   int64
		tags    []containers.ResourceTag
		want    fault.Reason
	}{
		{"a name that is taken", "taken", "nano", 1, nil, fault.ServiceExists},
		{"an unknown power", "new", "giant", 1, nil, fault.ParameterInvalid},
		{"no nodes", "new", "nano", 0, nil, fault.ParameterInvalid},
		{"too many nodes", "new", "nano", 21, nil, fault.LimitExceeded},
		{"an empty tag key", "new", "nano", 1, []containers.ResourceTag{{Value: "v"}}, fault.ResourceTagInvalid},
		{"a tag key of AWS's own", "new", "nano", 1, []containers.ResourceTag{{Key: "aws:x"}}, fault.ResourceTagInvalid},
		{"a tag key of 129 characters", "new", "nano", 1, []containers.ResourceTag{{Key: strings.Repeat("é", 129)}}, fault.ResourceTagInvalid},
		{"a tag value of 257 characters", "new", "nano", 1, []containers.ResourceTag{{Key: "k", Value: strings.Repeat("é", 257)}}, fault.ResourceTagInvalid},
		{"a tag key twice", "new", "nano", 1, []containers.ResourceTag{{Key: "k"}, {Key: "k"}}, fault.ResourceTagInvalid},
		{"51 tags", "new", "nano", 1, many, fault.TooManyTags},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := w.CreateService(w.ctx, key(c.service), c.power, c.scale, c.tags)
			w.want(err, c.want)
			all, err := w.Services.Services(w.ctx, home)
			w.must(err)
			if len(all) != 1 {
				t.Errorf("%d services after a refusal", len(all))
			}
		})
	}
	w.create("second")
	_, err := w.CreateService(w.ctx, key("third"), "nano", 1, nil)
	if f := w.want(err, fault.LimitExceeded); f.Limit != 2 {
		t.Errorf("limit %d", f.Limit)
	}
	elsewhere := containers.Key{Registry: name.RegistryID{Account: home.Account, Region: "eu-west-1"}, Name: "taken"}
	_, err = w.CreateService(w.ctx, elsewhere, "nano", 1, nil)
	w.must(err) // names and quotas are a registry's
}

func TestUpdateServiceChangesWhatIsGiven(t *testing.T) {
	power, scale, yes, no := "large", int64(7), true, false
	none, unknown := int64(0), "giant"
	w := open(t, containers.Limits{Nodes: 20})
	for i, c := range []struct {
		name   string
		change containers.Change
		power  string
		scale  int64
		state  containers.State
		want   fault.Reason // Unexpected: success
	}{
		{"nothing", containers.Change{}, "nano", 1, containers.Ready, fault.Unexpected},
		{"the power", containers.Change{Power: &power}, "large", 1, containers.Ready, fault.Unexpected},
		{"the scale", containers.Change{Scale: &scale}, "nano", 7, containers.Ready, fault.Unexpected},
		{"off", containers.Change{Disabled: &yes}, "nano", 1, containers.Disabled, fault.Unexpected},
		{"on, as it is", containers.Change{Disabled: &no}, "nano", 1, containers.Ready, fault.Unexpected},
		{"an unknown power", containers.Change{Power: &unknown, Scale: &scale}, "nano", 1, containers.Ready, fault.ParameterInvalid},
		{"no nodes", containers.Change{Power: &power, Scale: &none}, "nano", 1, containers.Ready, fault.ParameterInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			service := fmt.Sprintf("s%d", i)
			w.create(service)
			changed, err := w.UpdateService(w.ctx, key(service), c.change)
			if c.want != fault.Unexpected {
				w.want(err, c.want)
			} else {
				w.must(err)
				if changed.State != containers.Updating {
					t.Errorf("answered in state %v", changed.State)
				}
			}
			found, err := w.Service(w.ctx, key(service))
			w.must(err)
			if found.Power != c.power || found.Scale != c.scale || found.State != c.state {
				t.Errorf("found %s, %d, state %v", found.Power, found.Scale, found.State)
			}
		})
	}
}

func TestADisabledServiceIsEnabledAgain(t *testing.T) {
	w := open(t, containers.Limits{})
	w.create("web")
	for _, disabled := range []bool{true, false} {
		_, err := w.UpdateService(w.ctx, key("web"), containers.Change{Disabled: &disabled})
		w.must(err)
		found, err := w.Service(w.ctx, key("web"))
		w.must(err)
		if found.Disabled != disabled {
			t.Errorf("disabled %v, want %v", found.Disabled, disabled)
		}
	}
}

func TestADeletedServiceIsGoneAtOnceAndItsNameIsFree(t *testing.T) {
	w := open(t, containers.Limits{})
	old, err := w.CreateService(w.ctx, key("web"), "nano", 1, []containers.ResourceTag{{Key: "k", Value: "v"}})
	w.must(err)
	d := w.push(home, "a")
	w.register("web", "app", d)
	w.register("web", "app", d)
	w.clock.Advance(time.Hour)
	w.must(w.DeleteService(w.ctx, key("web")))

	_, err = w.Service(w.ctx, key("web"))
	w.want(err, fault.ServiceNotFound)
	w.want(w.DeleteService(w.ctx, key("web")), fault.ServiceNotFound)
	if want := w.clock.Now().Add(pushTTL); !w.lastReview(d).Equal(want) {
		t.Errorf("its image is looked at last at %v, want %v", w.lastReview(d), want)
	}
	anew := w.create("web")
	if anew.ARN() == old.ARN() || len(anew.Tags) != 0 {
		t.Errorf("the new service has ARN %s and tags %v", anew.ARN(), anew.Tags)
	}
	if got := w.names("web"); len(got) != 0 {
		t.Errorf("the new service has images %v", got)
	}
	if i := w.register("web", "app", d); i.Version != 1 {
		t.Errorf("its first version is %d", i.Version)
	}
}

func TestAServiceWithMoreImagesThanATransactionTakesIsDeleted(t *testing.T) {
	w := open(t, containers.Limits{})
	w.create("web")
	d := w.push(home, "a")
	var all sync.WaitGroup
	for range 201 {
		all.Go(func() {
			if _, err := w.RegisterImage(w.ctx, key("web"), "app", string(d)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	w.must(w.DeleteService(w.ctx, key("web")))
	_, err := w.Service(w.ctx, key("web"))
	w.want(err, fault.ServiceNotFound)
}

func TestServicesAreListedByNameWhateverTheirNumber(t *testing.T) {
	w := open(t, containers.Limits{})
	var want []string
	var making sync.WaitGroup
	for i := range 205 {
		want = append(want, fmt.Sprintf("s%03d", i))
		making.Go(func() {
			if _, err := w.CreateService(w.ctx, key(fmt.Sprintf("s%03d", i)), "nano", 1, nil); err != nil {
				t.Error(err)
			}
		})
	}
	making.Wait()
	all, err := w.Services.Services(w.ctx, home)
	w.must(err)
	var got []string
	for _, s := range all {
		got = append(got, string(s.Name))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("services (-want +got):\n%s", diff)
	}
}

func TestARegistryOpensWithItsFirstService(t *testing.T) {
	w := open(t, containers.Limits{})
	w.want(w.OpenRegistry(w.ctx, home), fault.ServiceMissing)
	w.create("web")
	w.must(w.OpenRegistry(w.ctx, home))
	_, err := w.catalogue.Repository(w.ctx, containers.HiddenRepository(home))
	w.must(err)
	abroad := name.RegistryID{Account: home.Account, Region: "eu-west-1"}
	w.want(w.OpenRegistry(w.ctx, abroad), fault.ServiceMissing)
	w.must(w.DeleteService(w.ctx, key("web")))
	w.want(w.OpenRegistry(w.ctx, home), fault.ServiceMissing)
}

func TestPowersGrow(t *testing.T) {
	last := containers.Power{}
	for _, p := range containers.Powers() {
		if p.Price <= last.Price || p.RAM < last.RAM || p.ID != p.Name+"-1" {
			t.Errorf("%+v follows %+v", p, last)
		}
		if found, ok := containers.FindPower(p.Name); !ok || found != p {
			t.Errorf("found %+v for %s", found, p.Name)
		}
		last = p
	}
	if last.Name != "xlarge" {
		t.Errorf("the largest is %s", last.Name)
	}
}
