package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

type server struct {
	path    string
	dir     *os.File
	journal *journal

	mu      sync.RWMutex
	repos   map[string]*repository
	uploads map[string]*upload
}

type repository struct {
	manifests map[string]*manifest // by digest
	tags      map[string]*manifest
	names     []string // of tags, sorted
	blobs     map[string]int64
}

type manifest struct {
	digest, mediaType string
	body              []byte
	tags              map[string]bool
}

func open(path string) (*server, error) {
	dir, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(filepath.Join(path, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	return &server{path: path, dir: dir, journal: newJournal(log), repos: map[string]*repository{}, uploads: map[string]*upload{}}, nil
}

// repo finds or makes a repository; s.mu is held for writing.
func (s *server) repo(name string) *repository {
	r := s.repos[name]
	if r == nil {
		r = &repository{manifests: map[string]*manifest{}, tags: map[string]*manifest{}, blobs: map[string]int64{}}
		s.repos[name] = r
	}
	return r
}

func (s *server) blobPath(digest string) string {
	return filepath.Join(s.path, strings.TrimPrefix(digest, "sha256:"))
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/v2/")
	if path == "" {
		return
	}
	if name, id, ok := strings.Cut(path, "/blobs/uploads/"); ok {
		s.upload(w, r, name, id)
		return
	}
	if name, digest, ok := strings.Cut(path, "/blobs/"); ok {
		s.blob(w, r, name, digest)
		return
	}
	if name, ref, ok := strings.Cut(path, "/manifests/"); ok {
		s.manifest(w, r, name, ref)
		return
	}
	if name, ok := strings.CutSuffix(path, "/tags/list"); ok {
		s.tags(w, r, name)
		return
	}
	w.WriteHeader(http.StatusNotFound)
}

// blobSize is of a blob that the repository has.
func (s *server) blobSize(name, digest string) (int64, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	repo := s.repos[name]
	if repo == nil {
		return 0, false
	}
	size, ok := repo.blobs[digest]
	return size, ok
}

func (s *server) blob(w http.ResponseWriter, r *http.Request, name, digest string) {
	size, ok := s.blobSize(name, digest)
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.Header().Set("Docker-Content-Digest", digest)
	w.Header().Set("Content-Type", "application/octet-stream")
	if r.Method == http.MethodHead {
		w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
		return
	}
	f, err := os.Open(s.blobPath(digest))
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil {
		http.ServeContent(w, r, "", info.ModTime(), f)
	}
}

func (s *server) manifest(w http.ResponseWriter, r *http.Request, name, ref string) {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		s.getManifest(w, r, name, ref)
	case http.MethodPut:
		s.putManifest(w, r, name, ref)
	case http.MethodDelete:
		s.deleteManifest(w, name, ref)
	}
}

func (s *server) findManifest(name, ref string) *manifest {
	s.mu.RLock()
	defer s.mu.RUnlock()
	repo := s.repos[name]
	if repo == nil {
		return nil
	}
	if m := repo.tags[ref]; m != nil {
		return m
	}
	return repo.manifests[ref]
}

func (s *server) getManifest(w http.ResponseWriter, r *http.Request, name, ref string) {
	m := s.findManifest(name, ref)
	if m == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.Header().Set("Docker-Content-Digest", m.digest)
	w.Header().Set("Content-Type", m.mediaType)
	w.Header().Set("Content-Length", strconv.Itoa(len(m.body)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(m.body)
	}
}

func (s *server) putManifest(w http.ResponseWriter, r *http.Request, name, ref string) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 4<<20))
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	sum := sha256.Sum256(body)
	m := &manifest{"sha256:" + hex.EncodeToString(sum[:]), r.Header.Get("Content-Type"), body, map[string]bool{}}
	if s.journal.commit("put", name, ref, m.digest, m.mediaType, strconv.Quote(string(body))) != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	s.mu.Lock()
	repo := s.repo(name)
	if old := repo.manifests[m.digest]; old != nil {
		m = old
	}
	repo.manifests[m.digest] = m
	if ref != m.digest {
		repo.tag(ref, m)
	}
	s.mu.Unlock()
	w.Header().Set("Docker-Content-Digest", m.digest)
	w.Header().Set("Location", "/v2/"+name+"/manifests/"+m.digest)
	w.WriteHeader(http.StatusCreated)
}

func (r *repository) tag(name string, m *manifest) {
	if old := r.tags[name]; old != nil {
		delete(old.tags, name)
	} else {
		i, _ := slices.BinarySearch(r.names, name)
		r.names = slices.Insert(r.names, i, name)
	}
	r.tags[name], m.tags[name] = m, true
}

func (r *repository) untag(name string) {
	m := r.tags[name]
	if m == nil {
		return
	}
	if i, ok := slices.BinarySearch(r.names, name); ok {
		r.names = slices.Delete(r.names, i, i+1)
	}
	delete(r.tags, name)
	delete(m.tags, name)
}

func (s *server) deleteManifest(w http.ResponseWriter, name, ref string) {
	if s.journal.commit("delete", name, ref) != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	s.mu.Lock()
	repo := s.repo(name)
	if m := repo.manifests[ref]; m != nil {
		for _, tag := range slices.Collect(maps.Keys(m.tags)) {
			repo.untag(tag)
		}
		delete(repo.manifests, ref)
	} else {
		repo.untag(ref)
	}
	s.mu.Unlock()
	w.WriteHeader(http.StatusAccepted)
}

func (s *server) tags(w http.ResponseWriter, r *http.Request, name string) {
	q := r.URL.Query()
	n, _ := strconv.Atoi(q.Get("n"))
	page, more := s.tagPage(name, q.Get("last"), n)
	if more {
		w.Header().Set("Link", "</v2/"+name+"/tags/list?n="+strconv.Itoa(n)+"&last="+page[n-1]+`>; rel="next"`)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"name": name, "tags": page})
}

// tagPage returns at most n tags after last, all when n is 0.
func (s *server) tagPage(name, last string, n int) ([]string, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	repo := s.repos[name]
	if repo == nil {
		return nil, false
	}
	names := repo.names
	i, found := slices.BinarySearch(names, last)
	if found {
		i++
	}
	names = names[i:]
	more := n > 0 && len(names) > n
	if more {
		names = names[:n]
	}
	return slices.Clone(names), more
}
