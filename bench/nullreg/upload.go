package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"net/http"
	"os"
	"path/filepath"
)

// upload is a blob on its way in; one request at a time writes it.
type upload struct {
	file *os.File
	hash hash.Hash
	size int64
}

func (s *server) upload(w http.ResponseWriter, r *http.Request, name, id string) {
	if r.Method == http.MethodPost {
		s.startUpload(w, r, name)
		return
	}
	s.mu.RLock()
	u := s.uploads[id]
	s.mu.RUnlock()
	if u == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if err := u.receive(r); err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	if r.Method == http.MethodPatch {
		w.Header().Set("Location", r.URL.Path)
		w.WriteHeader(http.StatusAccepted)
		return
	}
	s.finishUpload(w, r, name, id, u)
}

func (s *server) startUpload(w http.ResponseWriter, r *http.Request, name string) {
	digest, from := r.URL.Query().Get("mount"), r.URL.Query().Get("from")
	if size, ok := s.blobSize(from, digest); ok && s.journal.commit("mount", name, digest) == nil {
		s.addBlob(w, name, digest, size)
		return
	}
	id := rand.Text()
	f, err := os.Create(filepath.Join(s.path, "upload-"+id))
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	s.mu.Lock()
	s.uploads[id] = &upload{file: f, hash: sha256.New()}
	s.mu.Unlock()
	w.Header().Set("Location", "/v2/"+name+"/blobs/uploads/"+id)
	w.WriteHeader(http.StatusAccepted)
}

// receive appends the request's body.
func (u *upload) receive(r *http.Request) error {
	size := int64(256 << 10)
	if r.ContentLength >= 0 && r.ContentLength < size {
		size = r.ContentLength + 1
	}
	b := make([]byte, size)
	for {
		n, err := r.Body.Read(b)
		u.hash.Write(b[:n])
		if _, werr := u.file.Write(b[:n]); werr != nil {
			return werr
		}
		u.size += int64(n)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (s *server) finishUpload(w http.ResponseWriter, r *http.Request, name, id string, u *upload) {
	digest := "sha256:" + hex.EncodeToString(u.hash.Sum(nil))
	if digest != r.URL.Query().Get("digest") {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if err := s.keep(name, digest, u); err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	s.mu.Lock()
	delete(s.uploads, id)
	s.mu.Unlock()
	s.addBlob(w, name, digest, u.size)
}

// keep makes the blob survive power loss: file, name, then the log.
func (s *server) keep(name, digest string, u *upload) error {
	if err := errors.Join(u.file.Sync(), u.file.Close()); err != nil {
		return err
	}
	if err := os.Rename(u.file.Name(), s.blobPath(digest)); err != nil {
		return err
	}
	if err := s.dir.Sync(); err != nil {
		return err
	}
	return s.journal.commit("blob", name, digest)
}

func (s *server) addBlob(w http.ResponseWriter, name, digest string, size int64) {
	s.mu.Lock()
	s.repo(name).blobs[digest] = size
	s.mu.Unlock()
	w.Header().Set("Location", "/v2/"+name+"/blobs/"+digest)
	w.Header().Set("Docker-Content-Digest", digest)
	w.WriteHeader(http.StatusCreated)
}
