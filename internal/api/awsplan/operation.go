package awsplan

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/lighterage/lighterage/internal/api/awsmodel"
)

// Operation is what a row of a service's table says on either wire. What the
// handler takes and returns must be the model's.
type Operation struct {
	Name    string
	Action  string // IAM action, as "ecr:PutImage"
	In, Out reflect.Type
	Relaxed []string // paths of the input, as Compile takes them

	// Filled by Table.
	Model         awsmodel.Operation
	Input, Output *Plan
}

// Table checks a service's rows against its model and returns them by name, nil
// for what is not offered. Every operation of the model must be offered or not,
// and none be told twice. of is a row's Operation; check is the wire's own, and
// is called when that is filled.
func Table[Row any](model *awsmodel.Model, offered []Row, notOffered []string, of func(*Row) *Operation, check func(*Row) error) (map[string]*Row, error) {
	rows := make(map[string]*Row, len(model.Operations))
	for _, row := range offered {
		o := of(&row)
		err := o.fill(model)
		if err == nil {
			err = check(&row)
		}
		if err != nil {
			return nil, fmt.Errorf("operation %s: %w", o.Name, err)
		}
		if _, twice := rows[o.Name]; twice {
			return nil, fmt.Errorf("operation %s is in the table twice", o.Name)
		}
		rows[o.Name] = &row
	}
	for _, name := range notOffered {
		if _, twice := rows[name]; twice {
			return nil, fmt.Errorf("operation %s is offered or not offered twice", name)
		}
		rows[name] = nil
	}
	for _, o := range model.Operations {
		if _, ok := rows[o.Name]; !ok {
			return nil, fmt.Errorf("operation %s is neither offered nor not offered", o.Name)
		}
	}
	return rows, nil
}

func (o *Operation) fill(model *awsmodel.Model) error {
	m, ok := model.Operation(o.Name)
	switch {
	case !ok:
		return errors.New("it is not in the model")
	case o.In != m.In || o.Out != m.Out:
		return fmt.Errorf("its handler is for %s and %s, not %s and %s", o.In, o.Out, m.In, m.Out)
	case o.Action == "":
		return errors.New("it names no action")
	}
	var err error
	if o.Input, err = Compile(m.Input, m.In, o.Relaxed...); err != nil {
		return err
	}
	o.Output, err = Compile(m.Output, m.Out)
	o.Model = m
	return err
}

// Holds reports whether a value of the kind is somewhere in the plan's shape.
func (p *Plan) Holds(k awsmodel.Kind) bool { return holds(p.Shape, k) }

func holds(s *awsmodel.Shape, k awsmodel.Kind) bool {
	if s == nil {
		return false
	}
	for _, m := range s.Members {
		if holds(m.Shape, k) {
			return true
		}
	}
	return s.Kind == k || holds(s.Elem, k)
}
