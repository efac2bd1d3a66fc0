"""The application over clv: settings, runs, the command line. It touches no data itself."""
