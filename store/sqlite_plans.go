package store

/*
// Of SQLite, which the driver's package links into the program. Weak, since
// this package is also linked without it, when cgo looks at its types.
typedef struct sqlite3 sqlite3;
extern int sqlite3_db_config(sqlite3*, int op, ...) __attribute__((weak));
extern int sqlite3_auto_extension(void (*entry)(void)) __attribute__((weak));

#define ENABLE_QPSG 1007

static int stable_plans(sqlite3 *db, char **err, const void *api) {
	int on = 0;
	int rc = sqlite3_db_config(db, ENABLE_QPSG, 1, &on);
	return rc != 0 ? rc : !on;
}

static int keep_plans(void) {
	return sqlite3_auto_extension((void (*)(void))stable_plans);
}
*/
import "C"

// Without its query planner stability guarantee SQLite compiles a cached
// statement anew whenever a value is bound that might change the plan, which
// costs more than running it. The driver has no option for it, so every
// connection is told here as it opens, and does not open otherwise.
func init() {
	if C.keep_plans() != 0 {
		panic("store: SQLite takes no automatic extension")
	}
}
