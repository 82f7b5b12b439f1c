package templates

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Dates follow the reader's language: "Tuesday 24 November 2026 at 09:05",
// "mardi 24 novembre 2026 à 9 h 05". French puts no-break spaces into the
// hour.

// nbsp is a no-break space; French sets one before : ; ! ? and in numbers.
const nbsp = "\u00a0"

var (
	frenchDays   = [...]string{"dimanche", "lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi"}
	frenchMonths = [...]string{"", "janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre"}
)

// inZone is t in the zone, or in UTC if there is none.
func inZone(t time.Time, zone *time.Location) time.Time {
	if zone == nil {
		return t.UTC()
	}
	return t.In(zone)
}

// formatClock is "09:05", "9 h 05", or "9 h".
func formatClock(lang string, t time.Time) string {
	if lang != "fr" {
		return t.Format("15:04")
	}
	s := strconv.Itoa(t.Hour()) + nbsp + "h"
	if t.Minute() > 0 {
		s += nbsp + t.Format("04")
	}
	return s
}

// formatDay is "Tuesday 24 November 2026".
func formatDay(lang string, t time.Time) string {
	if lang != "fr" {
		return t.Format("Monday 2 January 2006")
	}
	return frenchDays[t.Weekday()] + " " + dayMonth(lang, t) + " " + strconv.Itoa(t.Year())
}

// dayMonth is "24 November"; the first of a French month is "1er".
func dayMonth(lang string, t time.Time) string {
	if lang != "fr" {
		return t.Format("2 January")
	}
	day := strconv.Itoa(t.Day())
	if day == "1" {
		day = "1er"
	}
	return day + " " + frenchMonths[t.Month()]
}

// formatAt is a day and an hour without the zone.
func formatAt(lang string, t time.Time) string {
	if lang != "fr" {
		return formatDay(lang, t) + " at " + formatClock(lang, t)
	}
	return formatDay(lang, t) + " à " + formatClock(lang, t)
}

// formatWhen is formatAt with the zone's words.
func formatWhen(lang string, t time.Time) string {
	return formatAt(lang, t) + " (" + zoneWords(lang, t) + ")"
}

// formatShort is for lists: "21 November, 14:05".
func formatShort(lang string, t time.Time) string {
	return dayMonth(lang, t) + ", " + formatClock(lang, t)
}

// frenchCities are those that French writes in its own way.
var frenchCities = map[string]string{
	"London": "Londres", "Brussels": "Bruxelles", "Vienna": "Vienne", "Lisbon": "Lisbonne",
	"Athens": "Athènes", "Warsaw": "Varsovie", "Copenhagen": "Copenhague", "Geneva": "Genève",
	"Algiers": "Alger", "Cairo": "Le Caire", "Singapore": "Singapour", "Reunion": "La Réunion",
	"Montreal": "Montréal", "Moscow": "Moscou", "Bucharest": "Bucarest", "Guadeloupe": "la Guadeloupe",
	"Martinique": "la Martinique", "Mayotte": "Mayotte", "Noumea": "Nouméa", "Tahiti": "Tahiti",
}

// zoneWords names the zone as people do, by its city: "Paris time", "heure de
// Paris". A zone without city is named by its abbreviation.
func zoneWords(lang string, t time.Time) string {
	name := t.Location().String()
	slash := strings.LastIndexByte(name, '/')
	if slash < 0 || strings.HasPrefix(name, "Etc/") {
		short, _ := t.Zone()
		return short
	}
	city := strings.ReplaceAll(name[slash+1:], "_", " ")
	if lang != "fr" {
		return city + " time"
	}
	if c, ok := frenchCities[city]; ok {
		city = c
	}
	if rest, ok := strings.CutPrefix(city, "Le "); ok {
		return "heure du " + rest
	}
	if strings.ContainsAny(city[:1], "AEIOUY") {
		return "heure d’" + city
	}
	return "heure de " + city
}

// Size is a number of octets in the reader's language.
func Size(lang string, n int64) string { return formatSize(lang, n) }

// formatSize is "340 kB", "1.2 MB"; French counts octets: "340 ko", "1,2 Mo".
func formatSize(lang string, n int64) string {
	unit, units := "B", [...]string{"B", "kB", "MB", "GB"}
	if lang == "fr" {
		unit, units = "o", [...]string{"o", "ko", "Mo", "Go"}
	}
	if n < 1000 {
		return strconv.FormatInt(max(n, 0), 10) + nbsp + unit
	}
	v, i := float64(n), 0
	for v >= 999.5 && i < len(units)-1 {
		v /= 1000
		i++
	}
	s := strconv.FormatFloat(v, 'f', 0, 64)
	if v < 9.95 && i > 1 {
		s = strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0")
	}
	if lang == "fr" {
		s = strings.Replace(s, ".", ",", 1)
	}
	return s + nbsp + units[i]
}

// formatSince is how long ago, roughly, for pages, which show the exact time
// too.
func formatSince(lang string, since, now time.Time) string {
	d := now.Sub(since)
	n, unit := int(d/time.Minute), 0
	switch {
	case d < 2*time.Minute:
		return wordsOf(lang).justNow
	case d >= 48*time.Hour:
		n, unit = int(d/(24*time.Hour)), 2
	case d >= 2*time.Hour:
		n, unit = int(d/time.Hour), 1
	}
	return fmt.Sprintf(wordsOf(lang).ago[unit], n)
}

// ZoneName names a zone as people do: "New York time".
func ZoneName(lang string, zone *time.Location) string {
	return zoneWords(lang, time.Unix(0, 0).In(zone))
}

// When is an exact time as people read it, with the words of its zone.
func When(lang string, t time.Time) string { return formatWhen(lang, t) }
