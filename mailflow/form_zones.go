package mailflow

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// formZones are the zones that a form offers, the region before the city, as
// they are grouped. Each stands for its whole area.
var formZones = strings.Fields(`
Europe/Paris Europe/London Europe/Dublin Europe/Lisbon Europe/Madrid Europe/Brussels Europe/Amsterdam Europe/Luxembourg
Europe/Zurich Europe/Berlin Europe/Vienna Europe/Rome Europe/Prague Europe/Warsaw Europe/Budapest Europe/Copenhagen
Europe/Stockholm Europe/Oslo Europe/Helsinki Europe/Tallinn Europe/Athens Europe/Bucharest Europe/Sofia Europe/Kyiv
Europe/Istanbul Europe/Moscow
Africa/Casablanca Africa/Algiers Africa/Tunis Africa/Dakar Africa/Abidjan Africa/Lagos Africa/Cairo Africa/Johannesburg
Africa/Nairobi
America/St_Johns America/Halifax America/New_York America/Toronto America/Montreal America/Chicago America/Denver
America/Phoenix America/Los_Angeles America/Anchorage America/Mexico_City America/Bogota America/Lima America/Santiago
America/Sao_Paulo America/Argentina/Buenos_Aires America/Martinique America/Guadeloupe America/Cayenne America/Miquelon
Asia/Jerusalem Asia/Beirut Asia/Riyadh Asia/Dubai Asia/Karachi Asia/Kolkata Asia/Dhaka Asia/Bangkok Asia/Jakarta
Asia/Shanghai Asia/Hong_Kong Asia/Singapore Asia/Manila Asia/Seoul Asia/Tokyo
Australia/Perth Australia/Adelaide Australia/Brisbane Australia/Sydney Pacific/Auckland Pacific/Noumea Pacific/Tahiti
Indian/Reunion Indian/Mauritius Indian/Mayotte
UTC`)

// FormZones lists the zones that a form offers, the one of its desk first:
// it is what is meant unless somebody says otherwise.
func FormZones(desk *time.Location) []string {
	own := "UTC"
	if desk != nil {
		own = desk.String()
	}
	return append([]string{own}, slices.DeleteFunc(slices.Clone(formZones), func(z string) bool { return z == own })...)
}

// ZoneOf is the zone of that name if the form offers it, or else the desk's.
func ZoneOf(name string, desk *time.Location) *time.Location {
	if desk == nil {
		desk = time.UTC
	}
	if z := zonesByName()[name]; z != nil {
		return z
	}
	return desk
}

// zonesByName are the zones of the form, read once: the library reads a zone
// from the disk each time.
var zonesByName = sync.OnceValue(func() map[string]*time.Location {
	zones := map[string]*time.Location{}
	for _, name := range formZones {
		if z, err := time.LoadLocation(name); err == nil {
			zones[name] = z
		}
	}
	return zones
})
