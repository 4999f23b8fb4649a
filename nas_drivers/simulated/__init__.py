"""Simulated access devices: they dial through real RADIUS, keep sessions, count traffic and obey CoA as a vendor's would."""
