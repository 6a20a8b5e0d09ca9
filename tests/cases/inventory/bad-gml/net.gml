graph [
  node [ id 0 label "A" Latitude NaN Longitude 9.0 Country "Italy" ]
  node [ id 1 label "B" Latitude 91.0 Longitude 9.0 Country "Italy" ]
  node [ id 1 label "C" Latitude 45.0 Longitude 9.0 Country "Italy" ]
  node [ id 2 label "D" Longitude 9.0 Country "Italy" ]
  edge [ source 0 target 1 ]
  edge [ source 0 ]
