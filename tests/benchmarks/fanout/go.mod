module stunnergw.test/fanout

go 1.24
