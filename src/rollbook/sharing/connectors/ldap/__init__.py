"""LDAP: accounts, groups and org units in a directory such as OpenLDAP, through OpenLDAP's own tools."""
