"""What changes over the calendar: time horizons, efficiency, prices, and how long a trend may go on."""
