package store

/*
// Of SQLite, which the driver's package links into the program. Weak, since
// this package is also linked without it, when cgo looks at its types.
typedef struct sqlite3 sqlite3;
extern int sqlite3_db_config(sqlite3*, int op, ...) __attribute__((weak));
extern int sqlite3_auto_extension(void (*entry)(void)) __attribute__((weak));
extern int sqlite3_config(int op, ...) __attribute__((weak));

#define CONFIG_MEMSTATUS 9
#define ENABLE_QPSG      1007

static int stable_plans(sqlite3 *db, char **err, const void *api) {
	int on = 0;
	int rc = sqlite3_db_config(db, ENABLE_QPSG, 1, &on);
	return rc != 0 ? rc : !on;
}

static int set_up(void) {
	int rc = sqlite3_config(CONFIG_MEMSTATUS, 0);
	return rc != 0 ? rc : sqlite3_auto_extension((void (*)(void))stable_plans);
}
*/
import "C"

import "fmt"

// What the driver has no option for.
//
// Without its query planner stability guarantee SQLite compiles a cached
// statement anew whenever a value is bound that might change the plan, which
// costs more than running it. Every connection is told as it opens, and does
// not open otherwise. And nobody asks how much memory SQLite has, which it
// counts under a lock.
func init() {
	if rc := C.set_up(); rc != 0 {
		panic(fmt.Sprintf("store: SQLite cannot be set up: error %d", int(rc)))
	}
}
