# A drawing of nothing in particular
graph [
  directed 0
  label "Small"
  node [ id 0 label "M&#252;nchen &amp; Umgebung" Country "Germany" Longitude 11.57 Latitude 48.14 Internal 1 type "Core" ]
  node [ id 1 label "Verona" Country "Italy" Longitude 10.99 Latitude 45.44 Internal 1 ]
  node [ id 2 label "None" hyperedge 1 ]
  node [ id 3 label "Verona" Country "Italy" Longitude 11.03 Latitude 45.40 Internal 1 graphics [ x 1.0 y 2.0 ] ]
  node [ id 4 label "Exchange" Internal 0 ]
  edge [ source 0 target 2 LinkSpeed "10" LinkSpeedUnits "G" LinkSpeedRaw 10000000000.0 ]
  edge [ source 2 target 1 LinkLabel "155 Mbit/s" LinkSpeed "155" LinkSpeedUnits "M" ]
  edge [ source 1 target 3 bandwidth "2.5 Gbit/s" ]
  edge [ source 3 target 1 bandwidth 1e9 ]
  edge [ source 3 target 3 ]
  edge [ source 1 target 4 capacity 40 ]
]
