package ecr_test

import (
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/lighterage/lighterage/internal/api/awsmodel/ecrmodel"
	"github.com/lighterage/lighterage/internal/api/ecr"
)

// ecrOperations is the set of what is offered.
func ecrOperations(t *testing.T) map[string]bool {
	t.Helper()
	offered := map[string]bool{}
	for _, o := range ecr.New(ecr.Config{}).Operations {
		offered[o.Name] = true
	}
	return offered
}

func TestEveryModelledOperationIsOfferedOrListedAsNotOffered(t *testing.T) {
	s := ecr.New(ecr.Config{})
	rows := map[string]int{}
	for _, o := range s.Operations {
		rows[o.Name]++
		if o.Action != actionOf(o.Name) {
			t.Errorf("%s asks for %q, want %q", o.Name, o.Action, actionOf(o.Name))
		}
	}
	for _, o := range s.NotOffered {
		rows[o]++
	}
	for _, o := range ecrmodel.Model.Operations {
		if rows[o.Name] != 1 {
			t.Errorf("%s has %d rows, want 1", o.Name, rows[o.Name])
		}
		delete(rows, o.Name)
	}
	if len(rows) > 0 {
		t.Errorf("not in the model: %v", rows)
	}
	if len(s.Operations) != 35 || len(s.NotOffered) != 23 {
		t.Errorf("%d operations are offered and %d are not, want 35 and 23", len(s.Operations), len(s.NotOffered))
	}
}

func TestARowOfAnInputWithoutTheMemberFailsAtOnce(t *testing.T) {
	for _, name := range []string{"RepositoryNmae", "Tags"} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Errorf("a row that reads %s was made", name)
				}
			}()
			ecr.Member[ecrmodel.CreateRepositoryRequest](name)
		})
	}
	read := ecr.Member[ecrmodel.CreateRepositoryRequest]("RepositoryName")
	if got := read(&ecrmodel.CreateRepositoryRequest{RepositoryName: new("team/app")}); got != "team/app" {
		t.Errorf("read %q", got)
	}
}

func TestAnOperationThatIsNotOfferedSaysSo(t *testing.T) {
	w := newWorld(t)
	_, err := w.StartImageScan(w.ctx, &sdk.StartImageScanInput{RepositoryName: new("team/app"), ImageId: &types.ImageIdentifier{}})
	wantRefusal(t, err, refusal{"UnknownOperationException", "StartImageScan is not offered by this server"})
}
