//go:build !sqlite_fts5

package store

// The search tables need SQLite's FTS5, which the driver compiles in only
// under this tag. Without it the program would start and fail at its first
// migration; so it does not compile.
var _ = build_with_tags_sqlite_fts5_see_the_Makefile
