// Verifies a published log with code that is not ours: signed notes and Merkle
// trees of golang.org/x/mod/sumdb.
//
//	log-check FOLDER VKEY [OLD-CHECKPOINT...]
//
// The checkpoint's signature; every tile against it, as TileHashReader reads
// them; every entry against its tile; a proof for every entry; and that the log
// is that of each old checkpoint, grown. Prints the number of entries.
package main

import (
	"encoding/binary"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8 // of a tile: 256 hashes

// folder reads tiles as C2SP tlog-tiles names them: without the height that Go's own have in their paths.
type folder string

func (f folder) Height() int { return height }

func (f folder) read(path string) ([]byte, error) {
	return os.ReadFile(filepath.Join(string(f), filepath.FromSlash(path)))
}

func (f folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, t := range tiles {
		path := strings.Replace(t.Path(), "tile/8/", "tile/", 1)
		data, err := f.read(path)
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

func (f folder) SaveTiles([]tlog.Tile, [][]byte) {}

// openCheckpoint checks the signature and returns what the note says.
func openCheckpoint(text []byte, vkey string) (origin string, tree tlog.Tree) {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		log.Fatal(err)
	}
	opened, err := note.Open(text, note.VerifierList(verifier))
	if err != nil {
		log.Fatalf("checkpoint: %v", err)
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || lines[0] != verifier.Name() {
		log.Fatalf("checkpoint: %q is not one of %s", opened.Text, verifier.Name())
	}
	tree.N, err = strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		log.Fatal(err)
	}
	tree.Hash, err = tlog.ParseHash(lines[2])
	if err != nil {
		log.Fatal(err)
	}
	return lines[0], tree
}

// entries cuts a file of entries into its `count` first ones.
func entries(data []byte, count int64) [][]byte {
	var all [][]byte
	for ; count > 0; count-- {
		if len(data) < 2 || len(data)-2 < int(binary.BigEndian.Uint16(data)) {
			log.Fatal("a file of entries ends early")
		}
		size := int(binary.BigEndian.Uint16(data))
		all = append(all, data[2:2+size])
		data = data[2+size:]
	}
	if len(data) > 0 {
		log.Fatal("a file of entries goes on behind its last entry")
	}
	return all
}

func checkEntry(index int64, entry []byte, tree tlog.Tree, hashes tlog.HashReader) {
	stored, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, index)})
	if err != nil {
		log.Fatal(err)
	}
	if stored[0] != tlog.RecordHash(entry) {
		log.Fatalf("entry %d is not that of its tile", index)
	}
	proof, err := tlog.ProveRecord(tree.N, index, hashes)
	if err != nil {
		log.Fatal(err)
	}
	if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(entry)); err != nil {
		log.Fatalf("entry %d: %v", index, err)
	}
}

func checkGrowth(path, vkey string, tree tlog.Tree, hashes tlog.HashReader) {
	text, err := os.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	_, old := openCheckpoint(text, vkey)
	if old.N == 0 {
		return
	}
	proof, err := tlog.ProveTree(tree.N, old.N, hashes)
	if err != nil {
		log.Fatal(err)
	}
	if err := tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash); err != nil {
		log.Fatalf("%s: %v", path, err)
	}
}

func main() {
	log.SetFlags(0)
	if len(os.Args) < 3 {
		log.Fatal("usage: log-check FOLDER VKEY [OLD-CHECKPOINT...]")
	}
	f, vkey := folder(os.Args[1]), os.Args[2]
	text, err := f.read("checkpoint")
	if err != nil {
		log.Fatal(err)
	}
	_, tree := openCheckpoint(text, vkey)
	hashes := tlog.TileHashReader(tree, f)
	for n := int64(0); n<<height < tree.N; n++ {
		t := tlog.Tile{H: height, L: 0, N: n, W: 1 << height}
		if rest := tree.N - n<<height; rest < 1<<height {
			t.W = int(rest)
		}
		data, err := f.read(strings.Replace(t.Path(), "tile/8/0/", "tile/entries/", 1))
		if err != nil {
			log.Fatal(err)
		}
		for i, entry := range entries(data, int64(t.W)) {
			checkEntry(n<<height+int64(i), entry, tree, hashes)
		}
	}
	for _, path := range os.Args[3:] {
		checkGrowth(path, vkey, tree, hashes)
	}
	fmt.Println(tree.N)
}
