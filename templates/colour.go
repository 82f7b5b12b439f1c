package templates

import (
	"math"
	"strconv"
)

// ourAccent is the colour of buttons and links of a desk that names none, or
// one that can't be read.
const ourAccent = "#1d5c87"

// paper is the lightest background that an accent stands on.
const paper = "#fffdf8"

// accent is the desk's colour if both white on it and itself on paper have
// the contrast that WCAG 2.2 §1.4.3 asks for, 4.5 to 1; otherwise ours.
func (d Desk) accent() string {
	if c := d.Accent; contrast(c, "#ffffff") >= 4.5 && contrast(c, paper) >= 4.5 {
		return c
	}
	return ourAccent
}

// contrast is the ratio of two colours, or 0 if one is none.
func contrast(a, b string) float64 {
	la, oka := luminance(a)
	lb, okb := luminance(b)
	if !oka || !okb {
		return 0
	}
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

// luminance is WCAG's relative luminance of "#rrggbb".
func luminance(c string) (float64, bool) {
	if len(c) != 7 || c[0] != '#' {
		return 0, false
	}
	n, err := strconv.ParseUint(c[1:], 16, 32)
	if err != nil {
		return 0, false
	}
	part := func(shift uint) float64 {
		v := float64(n>>shift&0xff) / 255
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*part(16) + 0.7152*part(8) + 0.0722*part(0), true
}
