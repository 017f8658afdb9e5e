package faulty

// fcgiAppFaultsA are the faults of the FastCGI application about FastCGI 1.0 sections 2 to 3.4.
var fcgiAppFaultsA = []Fault{}
